/**
 * Job 1: plans a cache, runs the teacher over its shards, and restores what the cache has lost.
 *
 * <p>{@link io.stillhouse.jobs.cache.build.CacheJob} is the command. {@link
 * io.stillhouse.jobs.cache.build.CorpusPlanner} decides which rows are in which shard, {@link
 * io.stillhouse.jobs.cache.build.ShardWriter} writes their inputs, and {@link
 * io.stillhouse.jobs.cache.build.TeacherStage} runs the teacher.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cache.build;
