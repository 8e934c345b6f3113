/**
 * Evaluates models: task metrics with standard errors, agreement, calibration and layer similarity,
 * speed, floating-point operations, and the importance of attention heads. Metrics work on plain
 * arrays; only head gradients use tensors.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.evaluate;
