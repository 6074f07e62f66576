"""Encoders that users bring, behind the contract of trained models."""
