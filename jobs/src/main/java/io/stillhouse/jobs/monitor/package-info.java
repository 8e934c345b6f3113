/**
 * Metrics of the running command for Prometheus. {@link io.stillhouse.jobs.monitor.Metric} declares
 * every name, type and label; jobs set values on the driver, and Spark's UI serves a page with all
 * of them. Spark's own Prometheus page has no labels, so the names of its series depend on the
 * names of students and applications.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.monitor;
