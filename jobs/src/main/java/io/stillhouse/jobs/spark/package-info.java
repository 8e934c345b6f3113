/**
 * What every job needs of Spark: a session, models held once per executor, progress told from
 * tasks.
 */
package io.stillhouse.jobs.spark;
