"""What carries out runs: from a study file to stored records."""
