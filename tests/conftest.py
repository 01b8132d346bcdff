"""What every test may ask for."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.services.fixtures"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")
