"""The search space: a YAML file as a typed, validated value."""
