pytest_plugins = ["tests.plugins.local_stack"]
