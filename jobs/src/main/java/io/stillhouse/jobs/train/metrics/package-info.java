/** Live metrics of a training: the latest steps, JSON lines, and TensorBoard files. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.metrics;
