"""Python interface of Stillhouse; its stages for Spark ML pipelines are in stillhouse.spark."""
