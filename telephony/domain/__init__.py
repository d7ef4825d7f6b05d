"""The ground floor: values and rules, standard library only."""
