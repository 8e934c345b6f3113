/**
 * One student of a training: its recipe checked against the cache, the columns it reads, its task,
 * checkpoints and result.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.student;
