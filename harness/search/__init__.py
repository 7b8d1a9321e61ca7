"""What a strategy works with: the budgeted oracle and its ledger, constraints, labelled sets, proposals."""
