/**
 * The finetune command: trains an encoder on hard labels alone. It runs the training of a student
 * over a cache that holds inputs but no targets.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.finetune;
