/**
 * What every job needs of Spark: sessions, devices, models held once per executor, and progress.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.spark;
