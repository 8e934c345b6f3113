/**
 * Live training metrics. Tasks report their steps through an accumulator; the driver writes the
 * newest step of each student as JSON lines and TensorBoard events, and exports them as gauges.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.metrics;
