/**
 * Reads the rows of a cache, verifies every byte against the manifest, and joins the rows of
 * several caches by key.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cache.read;
