"""Makes the cache of a data set: python -m nbzero.images prepare cifar10 --source DIR --out DIR"""

from nbzero.images.prepare import main

if __name__ == "__main__":
    main()
