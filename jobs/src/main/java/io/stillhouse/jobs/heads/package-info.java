/**
 * The command {@code head-importance}, which measures how much each attention head of a model
 * matters to its loss on labels. A student can be pruned of the least important heads.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.heads;
