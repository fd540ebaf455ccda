"""Sources of the Lambda functions, one package each."""
