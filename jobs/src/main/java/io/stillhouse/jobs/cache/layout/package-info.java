/**
 * The files of a cache: the plan that determines the shards, the manifest that only the driver
 * writes, and the teacher's directory. Readers trust the manifest, never a directory listing.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cache.layout;
