"""What reads records: analysis, compliance rules, reports."""
