/**
 * Job 2: trains students from a cache alone, one task for each; sweep, many of them, which may
 * share tasks and the reading of the cache; and finetune, the same trainer on hard labels.
 */
package io.stillhouse.jobs.train;
