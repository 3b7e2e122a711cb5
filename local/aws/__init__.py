"""The AWS services of the local cloud, on one port: S3, DynamoDB, SQS, Step Functions, Lambda's Invoke."""
