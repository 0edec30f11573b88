"""Samplers: who proposes the next configuration."""
