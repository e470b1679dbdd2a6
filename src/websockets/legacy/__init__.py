"""Import addresses of old: each module here names one of the classic API."""
