"""The Lambda authorizer: from a bearer token to a caller with permissions and counties."""
