"""The report of a study, printed and exported: sections, each made of tables, in several formats."""
