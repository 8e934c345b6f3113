/** Files on any Hadoop file system: atomic writes, sealed JSON, and Parquet rows. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.storage;
