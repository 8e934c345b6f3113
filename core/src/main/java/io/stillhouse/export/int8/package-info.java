/**
 * Quantizes weights to int8, with one scale for each row. {@link
 * io.stillhouse.export.int8.Calibration} collects statistics of the inputs of linear layers, and
 * chooses among several variants by comparing their outputs with those of float32.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.export.int8;
