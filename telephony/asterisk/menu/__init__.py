"""The service number's spoken menu, over FastAGI."""
