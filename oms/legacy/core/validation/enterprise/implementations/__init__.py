"""Parts that the enterprise validation service is put together from."""
