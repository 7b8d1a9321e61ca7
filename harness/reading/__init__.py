"""What reads records: a study's runs, what is computed of them, compliance rules, reports."""
