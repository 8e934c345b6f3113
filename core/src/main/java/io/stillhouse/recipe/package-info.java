/** Turns settings into the specs that jobs take, and checks conditions between options. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.recipe;
