/**
 * The one schema of cached teacher targets. {@link io.stillhouse.target.Targets} names every
 * column, {@link io.stillhouse.target.Dtype} says how a cell's numbers lie in bytes, and a {@link
 * io.stillhouse.target.TargetSource} hands rows to the trainer, from Parquet or from memory.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.target;
