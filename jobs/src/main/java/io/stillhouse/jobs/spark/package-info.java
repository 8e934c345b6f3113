/**
 * Spark support for all jobs: sessions, devices, tracked jobs, and models that an executor loads
 * once.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.spark;
