/**
 * Live metrics of a training. Tasks report their steps through an accumulator; the driver writes
 * the newest of each student as JSON lines and TensorBoard events, and exports them as gauges.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.metrics;
