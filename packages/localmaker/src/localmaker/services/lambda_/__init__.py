"""Local Python functions that stand in for Lambda functions: their table, uploaded code, calls, and what they log."""
