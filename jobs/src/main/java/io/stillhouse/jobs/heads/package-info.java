/**
 * The command {@code head-importance}, which measures how much each attention head of a model
 * matters to its loss on labels. The least important heads can be pruned from a student.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.heads;
