"""The finance scenario: small firms with a loan; documents, news, calls, accounts and transactions."""
