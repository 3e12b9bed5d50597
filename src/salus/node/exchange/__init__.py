"""Exchange between members: signed requests, pulls under grants, sealed deliveries."""
