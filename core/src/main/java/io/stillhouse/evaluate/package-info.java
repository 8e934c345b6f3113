/**
 * Task metrics and their uncertainty; what a forward pass costs. Correlations come from
 * commons-math; the rest are counts.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.evaluate;
