/**
 * One pure function for each loss term, without weights or state. Only {@link
 * io.stillhouse.loss.DistillLoss} applies weights and adds up the terms; only {@link
 * io.stillhouse.loss.LabelLoss} chooses the loss on labels by task. Means are over rows or real
 * tokens, never over padding. {@code core/README.md} lists the formulas.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.loss;
