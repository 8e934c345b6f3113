/**
 * Job 1: cuts a corpus into shards, runs the teacher over them, and restores what a cache has lost.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cache.build;
