/**
 * The cache of teacher targets: a plan that fixes immutable shards, one Parquet file per shard and
 * family, and a manifest that only the driver writes. Readers trust the manifest, never a listing.
 */
package io.stillhouse.jobs.cache;
