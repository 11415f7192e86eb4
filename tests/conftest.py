pytest_plugins = [
    "tests.plugins.local_stack",
    "tests.plugins.postgres",
    "tests.plugins.properties",
    "tests.plugins.shopee_simulator",
    "tests.plugins.signature_vectors",
    "tests.plugins.traffic",
]
