/**
 * One pure function for each loss term, without weights or state. Only {@link
 * io.stillhouse.loss.DistillLoss} applies weights and adds the terms up; {@link
 * io.stillhouse.loss.LabelLoss} alone knows which loss on labels belongs to which task. Means are
 * over rows or real tokens, never over padding. {@code core/README.md} lists the formulas.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.loss;
