;; Functional zippers: a place in a tree, with moves and edits.
;;
;; A place is a vector of two: the node, and how we came there: nil at the root, else a map of the siblings to the left (:l, a
;; vector), those to the right (:r, a seq), the nodes above (:pnodes, root first), the way of the parent (:ppath) and whether
;; anything below was edited (:changed?). The functions that know the tree are its metadata.
(ns clojure.zip
  (:refer-clojure :exclude [next remove replace]))

(defn zipper
  "A place at root. branch? says whether a node may have children, children gives them, make-node makes a node from an old one
  and new children."
  [branch? children make-node root]
  (with-meta [root nil]
    {:zip/branch? branch? :zip/children children :zip/make-node make-node}))

(defn seq-zip
  "A zipper over nested seqs."
  [root]
  (zipper seq? identity (fn [node kids] (with-meta kids (meta node))) root))

(defn vector-zip
  "A zipper over nested vectors."
  [root]
  (zipper vector? seq (fn [node kids] (with-meta (vec kids) (meta node))) root))

(defn xml-zip
  "A zipper over elements: maps with :content, or text."
  [root]
  (zipper (complement string?)
          (comp seq :content)
          (fn [node kids] (assoc node :content (and kids (apply vector kids))))
          root))

(defn node "The node at loc." [loc] (nth loc 0))
(defn branch? "May the node at loc have children?" [loc] ((:zip/branch? (meta loc)) (node loc)))
(defn children
  "The children of the node at loc."
  [loc]
  (if (branch? loc)
    ((:zip/children (meta loc)) (node loc))
    (throw (Exception. "called children on a leaf node"))))
(defn make-node
  "A node like node with these children, in the tree of loc."
  [loc node kids]
  ((:zip/make-node (meta loc)) node kids))
(defn path "The nodes above loc, root first." [loc] (:pnodes (nth loc 1)))
(defn lefts "The siblings to the left." [loc] (seq (:l (nth loc 1))))
(defn rights "The siblings to the right." [loc] (:r (nth loc 1)))

(defn- place [loc node way] (with-meta [node way] (meta loc)))

(defn down
  "The first child, or nil."
  [loc]
  (when (branch? loc)
    (let [[n way] loc
          [c & more :as kids] (children loc)]
      (when kids
        (place loc c {:l [] :pnodes (if way (conj (:pnodes way) n) [n]) :ppath way :r more})))))

(defn up
  "The parent, rebuilt if anything below changed; nil at the root."
  [loc]
  (let [[n {:keys [l pnodes ppath r changed?]}] loc]
    (when pnodes
      (let [parent (peek pnodes)]
        (if changed?
          (place loc (make-node loc parent (concat l (cons n r))) (and ppath (assoc ppath :changed? true)))
          (place loc parent ppath))))))

(defn root
  "The root node, with all edits."
  [loc]
  (if (= :end (nth loc 1))
    (node loc)
    (if-let [p (up loc)] (recur p) (node loc))))

(defn right
  "The next sibling, or nil."
  [loc]
  (let [[n {:keys [l r] :as way}] loc]
    (when (and way r)
      (place loc (first r) (assoc way :l (conj l n) :r (clojure.core/next r))))))

(defn rightmost
  "The last sibling, or loc."
  [loc]
  (let [[n {:keys [l r] :as way}] loc]
    (if (and way r)
      (place loc (last r) (assoc way :l (into (conj l n) (butlast r)) :r nil))
      loc)))

(defn left
  "The sibling before, or nil."
  [loc]
  (let [[n {:keys [l r] :as way}] loc]
    (when (and way (seq l))
      (place loc (peek l) (assoc way :l (pop l) :r (cons n r))))))

(defn leftmost
  "The first sibling, or loc."
  [loc]
  (let [[n {:keys [l r] :as way}] loc]
    (if (and way (seq l))
      (place loc (first l) (assoc way :l [] :r (concat (rest l) [n] r)))
      loc)))

(defn insert-left
  "Adds item as the sibling before loc."
  [loc item]
  (let [[n {:keys [l] :as way}] loc]
    (if (nil? way)
      (throw (Exception. "Insert at top"))
      (place loc n (assoc way :l (conj l item) :changed? true)))))

(defn insert-right
  "Adds item as the next sibling of loc."
  [loc item]
  (let [[n {:keys [r] :as way}] loc]
    (if (nil? way)
      (throw (Exception. "Insert at top"))
      (place loc n (assoc way :r (cons item r) :changed? true)))))

(defn replace
  "Puts node at loc."
  [loc node]
  (let [way (nth loc 1)]
    (place loc node (and way (assoc way :changed? true)))))

(defn edit
  "Puts (f node args…) at loc."
  [loc f & args]
  (replace loc (apply f (node loc) args)))

(defn insert-child
  "Adds item as the first child."
  [loc item]
  (replace loc (make-node loc (node loc) (cons item (children loc)))))

(defn append-child
  "Adds item as the last child."
  [loc item]
  (replace loc (make-node loc (node loc) (concat (children loc) [item]))))

(defn end?
  "Has the walk with next come to its end?"
  [loc]
  (= :end (nth loc 1)))

(defn next
  "The place after loc, depth first; at the end a place for which end? holds."
  [loc]
  (if (end? loc)
    loc
    (or (and (branch? loc) (down loc))
        (right loc)
        (loop [p loc]
          (if-let [u (up p)]
            (or (right u) (recur u))
            (with-meta [(node p) :end] (meta loc)))))))

(defn prev
  "The place before loc, depth first; nil at the root."
  [loc]
  (if-let [l (left loc)]
    (loop [l l]
      (if-let [kid (and (branch? l) (down l))]
        (recur (rightmost kid))
        l))
    (up loc)))

(defn remove
  "Takes the node at loc away; the place that came before it."
  [loc]
  (let [[_ {:keys [l pnodes ppath r] :as way}] loc]
    (if (nil? way)
      (throw (Exception. "Remove at top"))
      (if (seq l)
        (loop [p (place loc (peek l) (assoc way :l (pop l) :changed? true))]
          (if-let [kid (and (branch? p) (down p))]
            (recur (rightmost kid))
            p))
        (place loc (make-node loc (peek pnodes) r) (and ppath (assoc ppath :changed? true)))))))
