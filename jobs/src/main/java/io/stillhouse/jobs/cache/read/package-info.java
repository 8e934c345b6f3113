/**
 * Reads the rows of a cache, verifying every byte against the manifest, and joins the rows of
 * several caches by key.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cache.read;
