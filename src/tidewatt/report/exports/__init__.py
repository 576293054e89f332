"""Receipts in the forms that others have published; each says what the receipt says."""
