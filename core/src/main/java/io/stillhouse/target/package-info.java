/**
 * The schema of cached teacher targets. {@link io.stillhouse.target.Targets} names every column,
 * {@link io.stillhouse.target.Dtype} is the storage type of a cell, and a {@link
 * io.stillhouse.target.TargetSource} provides rows to the trainer, from Parquet or from memory.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.target;
