/**
 * How important each attention head of a live model is to its loss on labels. The result says which
 * heads a student may be pruned of.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.heads;
