/**
 * Job 2: trains students from a cache alone, one task for each; and finetune, the same trainer on
 * hard labels.
 */
package io.stillhouse.jobs.train;
