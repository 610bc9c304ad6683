"""Retry: which errors may pass, how a call goes on after a failure, and how functions are wrapped."""
