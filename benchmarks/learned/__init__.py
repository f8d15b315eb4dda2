"""What the shipped job files learn, held against what the scenarios' truth allows."""
